// What is uploaded, in pieces that are made once, and how what is downloaded is counted.

const piece = Buffer.alloc(65_536, "0123456789abcdef");

export function* pieces(bytes) {
  for (let left = bytes; left > 0; left -= piece.length) {
    yield left < piece.length ? piece.subarray(0, left) : piece;
  }
}

export async function counted(body) {
  let count = 0;
  for await (const piece of body) count += piece.length;
  return count;
}
