/**
 * What is wrong now, and what to change.
 */
import type { Update } from "../../dashboard/messages.ts";

export function Warnings({ update }: { readonly update: Update }) {
  const { warnings } = update;
  return (
    <section aria-live="polite" aria-label="Warnings">
      {warnings.map(({ client, service, origin, lane, words, advice }) => (
        <div
          key={`${client} ${service} ${origin} ${lane}`}
          class="warning"
          data-saturated={`${service} ${lane}`}
        >
          <p>
            <strong>{capital(words)}.</strong>
          </p>
          <p>{advice}</p>
        </div>
      ))}
    </section>
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
