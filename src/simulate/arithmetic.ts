/**
 * Logarithm, exponential and sine from additions, multiplications and divisions alone. Those of `Math` may differ in
 * the last bit from one version of V8 to the next, and a simulation would then tell another story from the same seed.
 * Invariant: the same bits for the same argument, on every engine that keeps to IEEE 754.
 */

const ln2 = Math.LN2;
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
/** Where the sign, the exponent and the upper bits of the fraction are: 1 on little-endian machines. */
const high = endsHigh() ? 1 : 0;

/** The upper 32 bits of `value`: sign, exponent, and 20 bits of the fraction. */
export function highWord(value: number): number {
  double[0] = value;
  return words[high] as number;
}

/** The natural logarithm of a normal number above 0, right to 2e-16 or so. */
export function ln(value: number): number {
  double[0] = value;
  const word = words[high] as number;
  let exponent = (word >>> 20) - 1023;
  // As a number from √½ to √2, around which the series ends soon.
  let fraction = (word & 0xf_ffff) | 0x3ff0_0000;
  if ((word & 0xf_ffff) > 0x6_a09e) {
    fraction -= 0x10_0000;
    exponent++;
  }
  words[high] = fraction;
  const near = double[0] as number;
  const s = (near - 1) / (near + 1);
  const t = s * s;
  const sum =
    1 +
    t *
      (1 / 3 +
        t *
          (1 / 5 +
            t *
              (1 / 7 +
                t *
                  (1 / 9 +
                    t * (1 / 11 + t * (1 / 13 + t * (1 / 15 + t * (1 / 17 + t * (1 / 19)))))))));
  return exponent * ln2 + 2 * s * sum;
}

/** e to the power of `value`; 0 below -700, and beyond 700 as at 700. */
export function exp(value: number): number {
  if (value < -700) return 0;
  const power = Math.min(value, 700);
  const twos = Math.floor(power / ln2 + 0.5);
  const rest = power - twos * ln2;
  let sum = 1;
  for (let term = 14; term > 0; term--) sum = 1 + (rest / term) * sum;
  double[0] = 0;
  words[1 - high] = 0;
  words[high] = (twos + 1023) << 20;
  return sum * (double[0] as number);
}

/** The sine of so many full turns, right to 1e-12 or so. */
export function sineOfTurns(turns: number): number {
  let part = turns - Math.floor(turns + 0.5); // from -½ to ½
  if (part > 0.25) part = 0.5 - part;
  else if (part < -0.25) part = -0.5 - part;
  const angle = part * 6.283185307179586;
  const square = angle * angle;
  let sum = 1;
  for (let term = 18; term > 0; term -= 2) sum = 1 - (square / (term * (term + 1))) * sum;
  return angle * sum;
}

function endsHigh(): boolean {
  double[0] = 1;
  return words[0] === 0;
}
