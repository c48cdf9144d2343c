/**
 * Pause, time, filter: by mouse, touch and keyboard.
 */
import { useEffect, useRef } from "preact/hooks";
import type { Shown } from "./page.tsx";
import { clock, spans } from "./view.ts";

export function Controls({ shown }: { readonly shown: Shown }) {
  const { view, range, change } = shown;
  const filter = useRef<HTMLInputElement>(null);
  const isPaused = view.fixed !== null;
  const pause = (): void => change(({ fixed }, now) => ({ fixed: fixed === null ? now : null }));
  const move = (share: number): void =>
    change((_, { from, to }) => {
      const by = (to - from) * share;
      return { fixed: { from: from + by, to: to + by } };
    });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "p") pause();
      else if (event.key === "/") filter.current?.focus();
      else if (event.key === "[") move(-0.5);
      else if (event.key === "]") move(0.5);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });
  return (
    <div class="controls" role="toolbar" aria-label="Display">
      <button type="button" aria-pressed={isPaused} aria-keyshortcuts="p" onClick={pause}>
        {isPaused ? "Go on" : "Pause"}
      </button>
      <label>
        Time{" "}
        <select
          value={String(view.spanMsecs)}
          onChange={(event) => {
            change({ spanMsecs: Number(event.currentTarget.value), fixed: null });
          }}
        >
          {spans.map(({ msecs, name }) => (
            <option key={msecs} value={String(msecs)}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="button" aria-keyshortcuts="[" onClick={() => move(-0.5)}>
        Earlier
      </button>
      <button type="button" aria-keyshortcuts="]" disabled={!isPaused} onClick={() => move(0.5)}>
        Later
      </button>
      <label>
        Filter{" "}
        <input
          ref={filter}
          type="search"
          placeholder="service, origin or lane"
          aria-keyshortcuts="/"
          value={view.filter}
          onInput={(event) => change({ filter: event.currentTarget.value })}
        />
      </label>
      {view.fixed !== null && (
        <span class="range quiet">
          {clock(range.from)} to {clock(range.to)}
        </span>
      )}
    </div>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
}
