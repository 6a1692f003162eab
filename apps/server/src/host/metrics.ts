/**
 * What a server counts, for Prometheus: requests by route, method and status, their seconds and bytes, problems by code,
 * and what each role says of itself at the moment that it is asked. Routes are patterns: no name, id or account is a label.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Role } from "./role.ts";

export interface ServedRequest {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

/** What a connection has carried so far. */
interface Wire {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

const buckets = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #bytes: Counter;
  readonly #problems: Counter;
  readonly #roles: readonly Role[];
  readonly #gauges = new Map<string, Gauge>();
  readonly #failed: Gauge;
  readonly #carried = new WeakMap<Wire, Wire>();

  constructor(roles: readonly Role[]) {
    this.#roles = roles;
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "chartseal_requests_total",
      help: "Requests answered.",
      labelNames: ["route", "method", "status"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "chartseal_request_seconds",
      help: "From a request's first byte to its answer's last.",
      labelNames: ["route", "method"],
      buckets,
      registers,
    });
    this.#bytes = new Counter({
      name: "chartseal_bytes_total",
      help: "Bytes on the wire, headers among them, by direction.",
      labelNames: ["route", "direction"],
      registers,
    });
    this.#problems = new Counter({
      name: "chartseal_problems_total",
      help: "Requests that were refused or failed, by code.",
      labelNames: ["route", "code"],
      registers,
    });
    this.#failed = new Gauge({
      name: "chartseal_role_up",
      help: "1 where a role says how it is, 0 where it cannot.",
      labelNames: ["role"],
      registers,
    });
    collectDefaultMetrics({ register: this.#registry });
  }

  /** `wire`: the request's connection, on which one request comes after the other. */
  served({ route, method, status, seconds }: ServedRequest, wire: Wire): void {
    this.#requests.inc({ route, method, status: String(status) });
    this.#seconds.observe({ route, method }, seconds);
    const { bytesRead, bytesWritten } = wire;
    const before = this.#carried.get(wire) ?? { bytesRead: 0, bytesWritten: 0 };
    this.#carried.set(wire, { bytesRead, bytesWritten });
    this.#bytes.inc({ route, direction: "received" }, Math.max(0, bytesRead - before.bytesRead));
    this.#bytes.inc({ route, direction: "sent" }, Math.max(0, bytesWritten - before.bytesWritten));
  }

  problem(route: string, code: string): void {
    this.#problems.inc({ route, code });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition format of Prometheus. */
  async text(): Promise<string> {
    for (const role of this.#roles) await this.#ask(role);
    return await this.#registry.metrics();
  }

  async #ask(role: Role): Promise<void> {
    try {
      const values = (await role.measures?.()) ?? {};
      for (const [name, value] of Object.entries(values)) this.#gauge(role.name, name).set(value);
      this.#failed.set({ role: role.name }, 1);
    } catch {
      this.#failed.set({ role: role.name }, 0);
    }
  }

  #gauge(role: string, measure: string): Gauge {
    const name = `chartseal_${role}_${measure}`;
    const known = this.#gauges.get(name);
    if (known !== undefined) return known;
    const made = new Gauge({ name, help: `Of the role ${role}: ${measure}.`, registers: [this.#registry] });
    this.#gauges.set(name, made);
    return made;
  }
}
