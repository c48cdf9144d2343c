/**
 * Colours of the style sheet, for what is drawn by script: they change with the reader's system.
 */
import { useEffect, useState } from "preact/hooks";

/** The scheme, "dark" or "light", and its colours by their names in the style sheet. */
export function useColours(): {
  readonly scheme: string;
  readonly colour: (name: string) => string;
} {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = (): void => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  const style = getComputedStyle(document.documentElement);
  return {
    scheme: isDark ? "dark" : "light",
    colour: (name) => style.getPropertyValue(name).trim(),
  };
}
