/**
 * Moves many bytes in one request, `down` or `up`, and says by how much the memory of this process grew
 * at most: `transfer.mjs down|up origin bytes`.
 */
import { Client } from "keepline";

const [direction, origin = "", size = "0"] = process.argv.slice(2);
const piece = Buffer.alloc(65_536, "up");

/** @param {number} bytes */
async function* pieces(bytes) {
  for (let left = bytes; left > 0; left -= piece.length) {
    yield left < piece.length ? piece.subarray(0, left) : piece;
  }
}

/** @param {number} bytes */
async function transfer(bytes) {
  if (direction === "up") {
    const response = await client.request(origin, { method: "POST", body: pieces(bytes) });
    await response.body.dump();
    return bytes;
  }
  let arrived = 0;
  const { body } = await client.request(origin);
  for await (const part of body) {
    arrived += part.length;
    if (arrived >= bytes) break;
  }
  return arrived;
}

const client = new Client();
// What a collector lets grow before its first full round is no growth of the transfer.
await transfer(50_000_000);
const before = process.memoryUsage.rss();
const bytes = await transfer(Number(size));
const grownBytes = process.resourceUsage().maxRSS * 1_024 - before;
console.log(JSON.stringify({ bytes, grownBytes }));
await client.close();
