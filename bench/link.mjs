// A link with a delay each way between a client and its origin, in a process of its own.

import { FaultProxy } from "../dist/testing/index.js";
import { serve, settings } from "./processes.mjs";

const { target, delayMsecs } = settings();
const proxy = await FaultProxy.listen({ target, delayMsecs });

serve({
  ready: { url: `${proxy.origin}/` },
  reply: () => ({ accepted: proxy.connectionCount }),
  stop: () => proxy.close(),
});
