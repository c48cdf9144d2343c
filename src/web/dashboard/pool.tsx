/**
 * One pool: its connections, its lanes and their queues, how long requests wait, churn against footprint, the idle window.
 */
import { type RetireReason, retireReasons } from "../../core/retire.ts";
import type { PoolHistory } from "../../dashboard/history.ts";
import type { PoolUpdate } from "../../dashboard/messages.ts";
import { Scroll } from "../scroll.tsx";
import { Chart, type Series } from "./chart.tsx";
import { Lines } from "./lines.tsx";
import type { Shown } from "./page.tsx";
import { number, percent, time } from "./view.ts";

const laneColours = ["--one", "--two", "--three", "--four", "--five", "--six"];
const dashes = [undefined, [8, 4], [2, 3]];

interface Props {
  readonly shown: Shown;
  readonly pool: PoolHistory;
}

export function PoolDetails({ shown, pool }: Props) {
  const { last, points } = pool;
  const lanes = last.lanes.map(
    ({ name }, index): Series => ({
      label: name,
      colour: laneColours[index % laneColours.length] ?? "--one",
      ...dashOf(Math.floor(index / laneColours.length)),
      of: (point) => point.lanes[name] ?? 0,
    }),
  );
  return (
    <section class="pool" aria-labelledby="pool" data-shown={last.origin}>
      <h2 id="pool">
        {last.client === "" ? "" : `${last.client} · `}
        {last.service} · {last.origin}
      </h2>
      <p>
        {sentence(last)} <IdleWindow pool={last} />
      </p>
      <Lines key={pool.id} shown={shown} pool={pool} />
      <Closed pool={pool} />
      <Lanes pool={last} />
      <div class="charts">
        <Chart
          key={`queue ${pool.id}`}
          shown={shown}
          title="Requests that wait, by lane"
          points={points}
          series={lanes}
          show={number}
        />
        <Chart
          key={`time ${pool.id}`}
          shown={shown}
          title="Waits and first bytes"
          points={points}
          series={waits}
          show={time}
        />
        <Chart
          key={`churn ${pool.id}`}
          shown={shown}
          title="Churn against footprint"
          points={points}
          series={churn}
          show={number}
        />
        <Chart
          key={`rate ${pool.id}`}
          shown={shown}
          title="Requests per second"
          points={points}
          series={rate}
          show={number}
        />
      </div>
    </section>
  );
}

const waits: readonly Series[] = [
  { label: "wait p50", colour: "--one", of: (point) => point.waitP50 },
  { label: "wait p99", colour: "--one", dash: [6, 4], of: (point) => point.waitP99 },
  { label: "first byte p50", colour: "--two", of: (point) => point.firstByteP50 },
  { label: "first byte p99", colour: "--two", dash: [6, 4], of: (point) => point.firstByteP99 },
];

const churn: readonly Series[] = [
  { label: "opened per second (churn)", colour: "--two", of: (point) => point.openedPerSecond },
  { label: "idle (footprint)", colour: "--one", of: (point) => point.idle },
  { label: "busy", colour: "--three", of: (point) => point.busy },
];

const rate: readonly Series[] = [
  { label: "requests per second", colour: "--one", of: (point) => point.requestsPerSecond },
];

function dashOf(index: number): Pick<Series, "dash"> {
  const dash = dashes[index];
  return dash === undefined ? {} : { dash };
}

function sentence({
  sockets,
  maxSockets,
  pending,
  reuseRatio,
  resent,
  failed,
}: PoolUpdate): string {
  const of = maxSockets === null ? "" : ` of ${number(maxSockets)}`;
  return [
    `${number(sockets.open)}${of} connections: ${number(sockets.busy)} busy, ${number(sockets.idle)} idle, ${number(sockets.dialing)} dialing.`,
    `${number(pending)} requests wait.`,
    `Reuse ${percent(reuseRatio)}, sent again ${number(resent)}, failed ${number(failed)}.`,
  ].join(" ");
}

function IdleWindow({ pool }: { readonly pool: PoolUpdate }) {
  const { hinted, learned, used } = pool.idleWindow;
  return (
    <span data-idle-window>
      Idle window: the server hints {hinted === null ? "nothing" : time(hinted)},{" "}
      {learned === null ? "nothing is learned" : `${time(learned)} is learned`},{" "}
      {used === null ? "used without end" : `${time(used)} is used`}.
    </span>
  );
}

function Closed({ pool }: { readonly pool: PoolHistory }) {
  const reasons = [...pool.closedFor].toSorted(([, a], [, b]) => b - a);
  if (reasons.length === 0) return null;
  return (
    <p class="quiet" data-closed>
      Ended since this page was opened:{" "}
      {reasons.map(([reason, count], index) => (
        <span key={reason} title={retireReasons[reason as RetireReason] ?? ""}>
          {index === 0 ? "" : ", "}
          {number(count)} <b>{reason}</b>
        </span>
      ))}
      .
    </p>
  );
}

function Lanes({ pool }: { readonly pool: PoolUpdate }) {
  const most = Math.max(...pool.lanes.map(({ pending }) => pending), 1);
  return (
    <Scroll label={"Lanes"}>
      <table class="lanes">
        <thead>
          <tr>
            <th scope="col">Lane</th>
            <th scope="col">Under way</th>
            <th scope="col">Waiting</th>
            <th scope="col">Longest wait</th>
            <th scope="col">Served</th>
            <th scope="col">Refused</th>
          </tr>
        </thead>
        <tbody>
          {pool.lanes.map((lane) => (
            <tr key={lane.name} data-lane={lane.name}>
              <th scope="row">{lane.name}</th>
              <td>
                {number(lane.busy)}
                {lane.maxSockets !== null && (
                  <span class="quiet"> of {number(lane.maxSockets)}</span>
                )}
              </td>
              <td class={lane.isSaturated ? "alarm" : ""}>
                <meter min={0} max={most} value={lane.pending} aria-label="of the most" />{" "}
                {number(lane.pending)}
                {lane.isSaturated && " saturated"}
              </td>
              <td>{lane.pending === 0 ? "–" : time(lane.waitedMsecs)}</td>
              <td>{number(lane.served)}</td>
              <td>{number(lane.refused)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pool.moreLanes > 0 && <p class="quiet">{number(pool.moreLanes)} more lanes are quieter.</p>}
    </Scroll>
  );
}
