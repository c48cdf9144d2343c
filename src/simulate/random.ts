/**
 * Random numbers that are the same for the same seed, in independent streams: one for arrivals, one for service times,
 * and so on. So another setting of the client meets the same requests at the same instants.
 */
import type { Random } from "../core/clock.ts";

/** A stream of numbers in [0, 1), by `seed` and by what the stream is for (Doty-Humphrey's sfc32, of 2^32 steps). */
export function randomStream(seed: number, purpose: number): Random {
  let a = mixed(seed);
  let b = mixed(a ^ purpose);
  let c = mixed(b + 0x9e37_79b9);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x21f0_aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a_2d97);
  return (bits ^ (bits >>> 15)) + 0x6d2b_79f5;
}
