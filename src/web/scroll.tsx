/**
 * A place whose content may be wider than the page: it scrolls by mouse, touch and keyboard.
 */
import type { ComponentChildren } from "preact";

interface Props {
  /** How a screen reader calls it. */
  readonly label: string;
  readonly children: ComponentChildren;
}

export function Scroll({ label, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
