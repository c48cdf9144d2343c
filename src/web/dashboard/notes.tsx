/**
 * What happened to single requests: failures, resends, unread bodies, and the slowest ones, each with what it went through.
 */
import type { TimedNote } from "../../dashboard/history.ts";
import { Scroll } from "../scroll.tsx";
import type { Shown } from "./page.tsx";
import { clock, number, time } from "./view.ts";

const mostRows = 50;

const kinds: Readonly<Record<TimedNote["kind"], string>> = {
  failed: "failed",
  resent: "sent again",
  leaked: "unread body",
  slow: "slow",
};

export function Notes({ shown }: { readonly shown: Shown }) {
  const { history, view, range } = shown;
  const words = view.filter.toLowerCase().split(/\s+/);
  const isShown = ({ client, service, origin, lane }: TimedNote): boolean => {
    const text = `${client} ${service} ${origin} ${lane}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const inTime = (note: TimedNote): boolean =>
    view.fixed === null || (note.at >= range.from && note.at <= range.to);
  const events = history.notes.filter((note) => isShown(note) && inTime(note)).slice(0, mostRows);
  const slow = history.slow.filter(isShown);
  return (
    <>
      <NoteTable id="events" title="Failures and resends" notes={events}>
        {history.leftOutNotes > 0 && (
          <p class="quiet">{number(history.leftOutNotes)} more came faster than they are shown.</p>
        )}
      </NoteTable>
      <NoteTable id="slow" title="Slowest requests of the last minute" notes={slow} />
    </>
  );
}

interface TableProps {
  readonly id: string;
  readonly title: string;
  readonly notes: readonly TimedNote[];
  readonly children?: preact.ComponentChildren;
}

function NoteTable({ id, title, notes, children }: TableProps) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
      {notes.length === 0 ? (
        <p class="quiet">None so far.</p>
      ) : (
        <Scroll label={`Table: ${title}`}>
          <table class="notes">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col">Request</th>
                <th scope="col">Took</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {notes.map((note) => (
                <tr key={note.key} data-note={note.kind}>
                  <td>{clock(note.at)}</td>
                  <td>{kinds[note.kind]}</td>
                  <td class="request">
                    {note.method} {note.origin}
                    {note.path}
                    <span class="quiet">
                      {" "}
                      {note.service} · {note.lane}
                    </span>
                  </td>
                  <td>{time(note.totalMsecs)}</td>
                  <td class="why">
                    {note.story.join(", ")}
                    {note.causes.map((cause, index) => (
                      <span key={index} class="cause">
                        {index === 0 ? "" : "caused by "}
                        {cause}
                      </span>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
