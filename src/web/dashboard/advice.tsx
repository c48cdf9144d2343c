/**
 * Advice for the service of the chosen pool: asked for by a button, made of what the program does from then on.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Advice, Outcome } from "../../simulate/index.ts";
import { Scroll } from "../scroll.tsx";
import { type Advising, Advisor, type Subject } from "./advising.ts";
import { number, percent, time } from "./view.ts";
import "./advice.css";

const durations = [
  { seconds: 15, name: "15 seconds" },
  { seconds: 60, name: "1 minute" },
  { seconds: 300, name: "5 minutes" },
] as const;

/** Settings that are simulated, about: `advise` looks for the best ones, and ends when it has them. */
const usualSimulations = 150;

interface Props {
  /** The service that the reader has chosen; null when there is none. */
  readonly subject: Subject | null;
}

export function AdviceSection({ subject }: Props) {
  const [state, setState] = useState<Advising>({ kind: "idle" });
  const advisor = useRef<Advisor | null>(null);
  advisor.current ??= new Advisor(setState);
  const [seconds, setSeconds] = useState(60);
  useEffect(() => () => advisor.current?.cancel(), []);
  const isBusy = state.kind === "taking" || state.kind === "simulating";
  return (
    <section class="advice" aria-labelledby="advice" data-advice={state.kind}>
      <h2 id="advice">Advice</h2>
      <p class="quiet">
        Takes what the program does from now on, and simulates other settings on it, here in the
        browser. Nothing is changed.
      </p>
      <div class="controls">
        <label>
          Traffic of{" "}
          <select
            value={String(seconds)}
            disabled={isBusy}
            onChange={(event) => setSeconds(Number(event.currentTarget.value))}
          >
            {durations.map((each) => (
              <option key={each.seconds} value={String(each.seconds)}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
        {isBusy ? (
          <button type="button" onClick={() => advisor.current?.cancel()}>
            Cancel
          </button>
        ) : (
          <button
            type="button"
            disabled={subject === null}
            onClick={() => subject !== null && advisor.current?.begin(subject, seconds)}
          >
            Advise for {subject === null ? "a service" : nameOf(subject)}
          </button>
        )}
        {state.kind === "taking" && state.requests > 0 && (
          <button type="button" onClick={() => advisor.current?.enough()}>
            Enough
          </button>
        )}
      </div>
      <p role="status" class={state.kind === "failed" ? "failed" : ""}>
        {sentenceOf(state)}
      </p>
      {isBusy && <Progress state={state} />}
      {state.kind === "done" && <Result advice={state.advice} leftOut={state.leftOut} />}
    </section>
  );
}

/** Said aloud when it changes: so without what changes all the time. */
function sentenceOf(state: Advising): string {
  switch (state.kind) {
    case "idle":
      return "";
    case "taking":
      return `Taking traffic of ${nameOf(state.subject)} …`;
    case "simulating":
      return `Simulating settings for ${nameOf(state.subject)} …`;
    case "done":
      return `Advice for ${nameOf(state.subject)}:`;
    case "failed":
      return `There is no advice for ${nameOf(state.subject)}: ${state.words}`;
  }
}

function nameOf({ client, service }: Subject): string {
  return client === "" ? service : `${client} · ${service}`;
}

function Progress({ state }: { readonly state: Advising }) {
  if (state.kind === "taking") {
    const passed = Math.min((performance.now() - state.since) / 1_000, state.seconds);
    const words = `${Math.floor(passed)} s, ${number(state.requests)} requests`;
    return (
      <p>
        <progress aria-label="Traffic" value={passed} max={state.seconds} /> {words}
      </p>
    );
  }
  if (state.kind !== "simulating") return null;
  const { simulations } = state;
  return (
    <p>
      <progress
        aria-label="Simulations"
        value={Math.min(simulations, usualSimulations)}
        max={usualSimulations}
      />{" "}
      {number(simulations)} settings
    </p>
  );
}

interface ResultProps {
  readonly advice: Advice;
  readonly leftOut: number;
}

function Result({ advice, leftOut }: ResultProps) {
  const { evidence, changes, lanes, confidence, recommended, code } = advice;
  const { requests, spanMsecs, requestsPerSecond, meanHoldMsecs, meanBusy, mostOpen } = evidence;
  return (
    <>
      <p>
        {number(requests)} requests in {time(spanMsecs)}: {number(requestsPerSecond)} a second, each
        of which holds its connection for {time(meanHoldMsecs)}. So {number(meanBusy)} sockets are
        in use on average; without limits {number(mostOpen)} were open at most.
        {leftOut > 0 && ` ${number(leftOut)} more came too fast to be recorded.`}
      </p>
      <h3>Change</h3>
      {changes.length + lanes.length === 0 ? (
        <p data-change="">Nothing: the present settings are among the best that were tried.</p>
      ) : (
        <ul>
          {changes.map(({ option, words }) => (
            <li key={option} data-change={option}>
              {words}
            </li>
          ))}
          {lanes.map(({ lane, from, to, p99Msecs }) => (
            <li key={lane} data-change={`weight ${lane}`}>
              weight of lane {lane} {from} → {to}: p99 {time(p99Msecs.before)} →{" "}
              {time(p99Msecs.after)}
            </li>
          ))}
        </ul>
      )}
      <Outcomes advice={advice} />
      <h3>How sure: {confidence.level}</h3>
      <ul>
        {confidence.reasons.map((each) => (
          <li key={each}>{each}</li>
        ))}
        <li>{halfWords(confidence.excess)}</li>
        {recommended.carriesPerSecond !== null && (
          <li>
            {number(recommended.values.maxSockets)} sockets to one origin carry{" "}
            {number(recommended.carriesPerSecond)} such requests a second and no more
          </li>
        )}
      </ul>
      <h3>Settings</h3>
      <Code code={code} />
    </>
  );
}

function halfWords({ first, second }: Advice["confidence"]["excess"]): string {
  if (Math.max(first, second) < 0.005) {
    return "on each half of the requests it is the best of what stands in the table";
  }
  return `on the first half of the requests it costs ${percent(first)} more than the best of what stands in the table, on the second half ${percent(second)}`;
}

function Outcomes({ advice }: { readonly advice: Advice }) {
  const { present, recommended, sensitivity } = advice;
  return (
    <Scroll label="Table: what settings come to">
      <table>
        <thead>
          <tr>
            <th scope="col">Settings</th>
            <th scope="col">Opened per second</th>
            <th scope="col">Idle</th>
            <th scope="col">Wait p99</th>
            <th scope="col">Response p99</th>
            <th scope="col">Failed</th>
          </tr>
        </thead>
        <tbody>
          <Row name="now" outcome={present.outcome} />
          <Row name="recommended" outcome={recommended.outcome} />
          {sensitivity.map(({ option, value, outcome }) => (
            <Row
              key={`${option} ${value}`}
              name={`… with ${option} ${number(value)}`}
              outcome={outcome}
            />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Row({ name, outcome }: { readonly name: string; readonly outcome: Outcome }) {
  return (
    <tr data-outcome={name}>
      <th scope="row">{name}</th>
      <td>{number(outcome.openedPerSecond)}</td>
      <td>{number(outcome.meanIdle)}</td>
      <td>{time(outcome.waitP99Msecs)}</td>
      <td>{time(outcome.p99Msecs)}</td>
      <td>{percent(outcome.failedShare)}</td>
    </tr>
  );
}

/** To paste into a program. */
function Code({ code }: { readonly code: string }) {
  const [copied, setCopied] = useState("");
  // Pages of other machines, without TLS, have no clipboard.
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  const copy = (): void => {
    clipboard?.writeText(code).then(
      () => setCopied("Copied"),
      () => setCopied("The browser does not allow it"),
    );
  };
  return (
    <>
      <Scroll label="Code to paste">
        <pre data-code>{code}</pre>
      </Scroll>
      {clipboard !== undefined && (
        <p>
          <button type="button" onClick={copy}>
            Copy
          </button>{" "}
          <span role="status">{copied}</span>
        </p>
      )}
    </>
  );
}
