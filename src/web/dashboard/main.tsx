/**
 * The page of `keepline/dashboard`: the pools of a running program, live. It reads one feed, on request a trace, and sends nothing.
 */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import { History } from "../../dashboard/history.ts";
import { readFeed } from "./feed.ts";
import { Page } from "./page.tsx";
import "../base.css";
import "./page.css";

const history = new History();
const place = document.getElementById("page") as HTMLElement;
place.textContent = "";
const draw = (connection: Parameters<Parameters<typeof readFeed>[1]>[0]): void => {
  render(<Page history={history} connection={connection} now={Date.now()} />, place);
};
draw("connecting");
readFeed(history, draw);
