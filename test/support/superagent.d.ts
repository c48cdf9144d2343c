/** superagent has no types of its own: here is what the tests use. */
declare module "superagent" {
  import type http from "node:http";
  import type { Writable } from "node:stream";

  export interface Response {
    readonly status: number;
    readonly text: string;
    readonly body: unknown;
  }

  export interface SuperAgentRequest extends Writable, PromiseLike<Response> {
    agent(agent: http.Agent): this;
    type(type: string): this;
    send(body: unknown): this;
    attach(name: string, file: Buffer, filename: string): this;
    field(name: string, value: string): this;
    timeout(options: { response?: number; deadline?: number }): this;
    abort(): this;
  }

  interface SuperAgent {
    (method: string, url: string): SuperAgentRequest;
    get(url: string): SuperAgentRequest;
  }

  const superagent: SuperAgent;
  // biome-ignore lint/style/noDefaultExport: that is how it exports itself
  export default superagent;
}
