/**
 * Failures that wait until everything else was done: a place that is away keeps the provider from what needs that place,
 * and from nothing else.
 */
import { type ChartsealError, isFamily } from "@chartseal/crypto";

export class Postponed {
  readonly #failures: ChartsealError[] = [];

  /** @returns whether it was done; false where something could not be reached. @throws what failed otherwise */
  async attempt(deed: () => Promise<unknown>): Promise<boolean> {
    try {
      await deed();
      return true;
    } catch (error) {
      if (!isFamily(error, "unavailable")) throw error;
      this.#failures.push(error);
      return false;
    }
  }

  /** @throws the first of what could not be reached */
  end(): void {
    const [first] = this.#failures;
    if (first !== undefined) throw first;
  }
}
