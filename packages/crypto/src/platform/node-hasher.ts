/**
 * SHA-256 on one other thread, over memory that both threads see: `crypto.subtle.digest` copies its input on the calling
 * thread first, which costs half of what hashing costs, and waking a thread for each chunk costs as much again. So jobs
 * and results lie in a ring of shared memory, and the thread, which sleeps where there is no job, is woken for several.
 * It is started for the first large stream, keeps no process alive and holds nothing but views of shared memory. Node
 * only.
 */
import { createHash, webcrypto } from "node:crypto";
import {
  isMainThread,
  type MessagePort,
  receiveMessageOnPort,
  type TransferListItem,
  Worker,
  workerData,
} from "node:worker_threads";
import { assert } from "../errors.ts";

/** Jobs that the thread may have before it; what comes beyond is hashed by the caller. */
const jobsMax = 8;
/** So many jobs wake the thread; fewer do when the caller has nothing else to do. */
const jobsToWake = 4;
/** So many hashes of shared memory are made before the thread is worth its start of some 30 ms. */
const hashesBefore = 16;
/** Hashes of memory that is not shared, on libuv's threads at a time. */
const copiedMax = 2;
const hashBytes = 32;
/** What tells this file that it is the thread's program. */
export const mark = "chartseal-v1 hasher";

/** Words of the control memory: jobs given and jobs done, then for each place of the ring memory, offset and length. */
export const given = 0;
export const done = 1;
const ringStart = 2;
const wordsPerJob = 3;

interface Shared {
  readonly mark: string;
  readonly words: Int32Array;
  readonly results: Uint8Array;
  /** Shared memory that jobs lie in, as [number, memory], each once; [number, null] when it is no more. */
  readonly port: MessagePort;
}

/** Zeroed memory that both threads see. */
export function sharedMemory(size: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(size));
}

/** Below this many bytes the call costs more than what it saves. */
const copyNativelyFrom = 4_096;

/**
 * Copies into memory that may be shared. `set` goes a word at a time there, with four to five times the time of a plain
 * copy; filling from bytes of the same length is one.
 */
export function copyShared(target: Uint8Array, source: Uint8Array, at: number): void {
  if (source.length < copyNativelyFrom || !(target.buffer instanceof SharedArrayBuffer)) {
    target.set(source, at);
    return;
  }
  const end = at + source.length;
  Buffer.from(target.buffer, target.byteOffset, target.length).fill(source, at, end);
}

function hashOf(data: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash("sha256").update(data).digest());
}

let copied = 0;
let made = 0;
let hasher: Hasher | undefined;

/**
 * SHA-256 of bytes that nobody changes until it is there; on the other thread where they lie in shared memory and it is
 * not behind, else on this one.
 */
export async function hashBeside(data: Uint8Array): Promise<Uint8Array> {
  const { buffer } = data;
  if (!(buffer instanceof SharedArrayBuffer)) return await hashCopied(data);
  if (++made < hashesBefore) return hashOf(data);
  hasher ??= new Hasher();
  return (await hasher.hash(buffer, data)) ?? hashOf(data);
}

async function hashCopied(data: Uint8Array): Promise<Uint8Array> {
  if (copied >= copiedMax) return hashOf(data);
  copied++;
  try {
    return new Uint8Array(await webcrypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>));
  } finally {
    copied--;
  }
}

/** The caller's side. Jobs are done in the order in which they are given. */
class Hasher {
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * (ringStart + wordsPerJob * jobsMax)));
  readonly #results = sharedMemory(hashBytes * jobsMax);
  readonly #memories = new WeakMap<SharedArrayBuffer, number>();
  /** The thread's view of a memory would keep it: it lets go when this side has. */
  readonly #gone = new FinalizationRegistry<number>((number) => this.#port.postMessage([number, null]));
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #waiting: ((hash: Uint8Array | undefined) => void)[] = [];
  #memoriesSeen = 0;
  #given = 0;
  /** Jobs that the thread knows of. */
  #shown = 0;
  #taken = 0;
  #isWaking = false;
  #isListening = false;
  #hasFailed = false;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1 as unknown as MessagePort;
    this.#port.unref();
    const shared = { mark, words: this.#words, results: this.#results, port: port2 };
    this.#worker = new Worker(new URL(import.meta.url), {
      workerData: shared,
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
      transferList: [port2 as unknown as TransferListItem],
    });
    this.#worker.unref();
    // Whoever waits hashes for itself, and the thread is given nothing more.
    this.#worker.on("error", () => {
      this.#hasFailed = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** Undefined where the thread has enough to do. */
  hash(memory: SharedArrayBuffer, data: Uint8Array): Promise<Uint8Array | undefined> {
    this.#take();
    if (this.#hasFailed || this.#waiting.length >= jobsMax) return Promise.resolve(undefined);
    const at = ringStart + wordsPerJob * (this.#given % jobsMax);
    this.#words[at] = this.#numberOf(memory);
    this.#words[at + 1] = data.byteOffset;
    this.#words[at + 2] = data.length;
    this.#given++;
    if (((this.#given - this.#shown) | 0) >= jobsToWake) this.#wake();
    else this.#wakeSoon();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      void this.#listen();
    });
  }

  #numberOf(memory: SharedArrayBuffer): number {
    let number = this.#memories.get(memory);
    if (number === undefined) {
      number = this.#memoriesSeen++;
      this.#memories.set(memory, number);
      this.#gone.register(memory, number);
      this.#port.postMessage([number, memory]);
    }
    return number;
  }

  #wake(): void {
    this.#shown = this.#given;
    Atomics.store(this.#words, given, this.#given | 0);
    Atomics.notify(this.#words, given);
  }

  #wakeSoon(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      if (this.#shown !== this.#given) this.#wake();
    });
  }

  /** Hands out what is done by now. */
  #take(): void {
    for (let ready = (Atomics.load(this.#words, done) - this.#taken) | 0; ready > 0; ready--) {
      const from = hashBytes * (this.#taken % jobsMax);
      this.#taken++;
      this.#waiting.shift()?.(this.#results.slice(from, from + hashBytes));
    }
  }

  /** Until nobody waits: sleeps without holding this thread, and keeps the process alive meanwhile. */
  async #listen(): Promise<void> {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#worker.ref();
    while (this.#waiting.length > 0) {
      const seen = Atomics.load(this.#words, done);
      if (seen === (this.#taken | 0)) await Atomics.waitAsync(this.#words, done, seen).value;
      this.#take();
    }
    this.#worker.unref();
    this.#isListening = false;
  }
}

/** The other side: this file again, as the thread's program. */
function serve({ words, results, port }: Shared): void {
  const memories = new Map<number, SharedArrayBuffer>();
  const memoryOf = (number: number): SharedArrayBuffer => {
    while (!memories.has(number)) {
      const received = receiveMessageOnPort(port);
      assert(received !== undefined, "a job's memory was sent before the job");
      const [name, memory] = received.message as [number, SharedArrayBuffer | null];
      if (memory === null) memories.delete(name);
      else memories.set(name, memory);
    }
    return memories.get(number) as SharedArrayBuffer;
  };
  for (let served = 0; ; served = (served + 1) | 0) {
    // A call to wake may come when the job that it was for is done already: what counts is the number.
    while (Atomics.load(words, given) === served) Atomics.wait(words, given, served);
    const place = (served >>> 0) % jobsMax;
    const at = ringStart + wordsPerJob * place;
    const [number = 0, offset = 0, length = 0] = words.subarray(at, at + wordsPerJob);
    results.set(hashOf(new Uint8Array(memoryOf(number), offset, length)), hashBytes * place);
    Atomics.store(words, done, (served + 1) | 0);
    Atomics.notify(words, done);
  }
}

if (!isMainThread && (workerData as Partial<Shared> | null)?.mark === mark) serve(workerData as Shared);
