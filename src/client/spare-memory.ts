/**
 * Memory for the large pieces of bodies that wait to be read, used again and again: what the allocator takes for one, and page faults and
 * collections with it, is more than all else that is done for it.
 * Invariant: memory is given back only by those who had it for themselves.
 */

/** Bytes of one: the most that is read from a socket at once. */
const spareBytes = 65_536;
/** So many are kept: 1 MiB. */
const mostSpares = 16;

const spares: ArrayBufferLike[] = [];
/** What `spareCopy` has handed out. */
const lent = new WeakSet<ArrayBufferLike>();

/** A copy of the bytes of `buffer` from `start` to `end`, for a while: it may take up to twice its length. */
export function spareCopy(buffer: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  let copy: Buffer;
  if (length > spareBytes || length < spareBytes / 2) copy = Buffer.allocUnsafe(length);
  else {
    const memory = spares.pop() ?? Buffer.allocUnsafeSlow(spareBytes).buffer;
    lent.add(memory);
    copy = Buffer.from(memory, 0, length);
  }
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** Nobody will look at `piece` any more. Of memory that is not from here, or was given back already, nothing is kept. */
export function giveBack(piece: Buffer): void {
  if (lent.delete(piece.buffer) && spares.length < mostSpares) spares.push(piece.buffer);
}
