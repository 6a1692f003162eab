/** Names of several stores as one list: in byte order, what is in more than one once. */
export async function* mergedNames(
  lists: readonly AsyncIterable<string>[],
): AsyncGenerator<string, void, undefined> {
  const readers = lists.map((list) => list[Symbol.asyncIterator]());
  const next = await Promise.all(readers.map((reader) => reader.next()));
  for (;;) {
    const names = next.flatMap((step) => (step.done === true ? [] : [step.value]));
    if (names.length === 0) return;
    const [name] = names.sort() as [string];
    for (const [at, step] of next.entries()) {
      if (step.done !== true && step.value === name) next[at] = await readers[at]!.next();
    }
    yield name;
  }
}
