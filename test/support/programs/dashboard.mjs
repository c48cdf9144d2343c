// Serves a dashboard on the port of the second argument, prints its address, and has something to do for as many milliseconds
// as the first says; with a third one it sends requests to that origin, in the lanes checkout and reports of a service.
import { Client } from "keepline";
import { serveDashboard } from "keepline/dashboard";

const [msecs, port = "0", origin] = process.argv.slice(2);
const client = new Client(
  origin === undefined
    ? {}
    : {
        services: {
          shop: {
            origins: [origin],
            maxSockets: 6,
            lanes: { checkout: { weight: 8, reservedSockets: 2 }, reports: { maxSockets: 2 } },
          },
        },
      },
);
const { url } = await serveDashboard(client, { port: Number(port) });
console.log(url);
setTimeout(() => {
  clearInterval(sending);
}, Number(msecs));

const send = (lane, path) =>
  client.request(origin + path, { lane }).then(
    (response) => response.body.dump(),
    () => {},
  );
const sending = setInterval(() => {
  if (origin === undefined) return;
  send("checkout", "/charge?delay=5");
  send("reports", "/daily?delay=120");
}, 40);
