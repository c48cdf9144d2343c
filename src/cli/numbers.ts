/**
 * Numbers as people read them, in terminals and on pages. Pure.
 */

/** 2000 → 2,000 */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** Milliseconds with three significant digits or so, without the unit; "–" for null. */
export function msecs(value: number | null): string {
  if (value === null) return "–";
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/** 0.9912 → 99.1 %. Only a full 1 makes 100.0 %, only a full 0 makes 0.0 %; "–" for null. */
export function percent(share: number | null): string {
  if (share === null) return "–";
  const rounded = Math.round(share * 1_000);
  const held = share < 1 && share > 0 ? Math.min(Math.max(rounded, 1), 999) : rounded;
  return `${(held / 10).toFixed(1)} %`;
}

/** 1234 → 1.23 s */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(2)} s`;
}

/** 850 → 850 ms, 2340 → 2.34 s, 75000 → 75 s, 0.42 → 0.42 ms: three digits, in the unit that suits. */
export function span(milliseconds: number): string {
  const [value, unit] = milliseconds < 999.5 ? [milliseconds, "ms"] : [milliseconds / 1_000, "s"];
  return `${Number(value.toPrecision(Math.max(3, Math.ceil(Math.log10(value + 1)))))} ${unit}`;
}

/** 3360 → 3.36 KB */
export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let value = size;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value.toPrecision(3).replace(/\.?0+$/, (zeros) => (zeros.startsWith(".") ? "" : zeros))} ${units[unit]}`;
}
