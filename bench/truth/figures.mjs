// Figures of lists of numbers.

/** The number that a share of all does not exceed; null when there is none. */
export function percentile(numbers, share) {
  if (numbers.length === 0) return null;
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length), 1) - 1];
}

export const median = (numbers) => percentile(numbers, 0.5);
