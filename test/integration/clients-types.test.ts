/**
 * The types of agents, dispatchers and fetch fit the options of other clients: that this file compiles is most of the
 * test. None of it is cast.
 */
import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";
import Anthropic, { type ClientOptions as AnthropicOptions } from "@anthropic-ai/sdk";
import { request as octokit } from "@octokit/request";
import { NodeHttpHandler, type NodeHttpHandlerOptions } from "@smithy/node-http-handler";
import axios, { type AxiosRequestConfig } from "axios";
import { Gaxios, type GaxiosOptions } from "gaxios";
import got, { type Agents, type ExtendOptions } from "got";
import type { RequestInit as NodeFetchInit } from "node-fetch";
import OpenAI, { type ClientOptions as OpenAIOptions } from "openai";
import superagent from "superagent";
import * as undici6 from "undici6";
import * as undici7 from "undici7";
import type { Dispatcher as Dispatcher8 } from "undici8";
import { Agent, HttpsAgent } from "../../src/surfaces/agent/index.ts";
import { asDispatcher, dispatcherFor } from "../../src/surfaces/undici/index.ts";
import { makeClient } from "../support/client-kit.ts";

test("agents of a client and agents of their own fit the options of who takes agents", (t) => {
  const client = makeClient(t);
  for (const [plain, tls] of [
    [client.httpAgent(), client.httpsAgent()],
    [new Agent(), new HttpsAgent()],
  ] as const) {
    const node: http.RequestOptions = { agent: plain };
    const nodeTls: https.RequestOptions = { agent: tls };
    const forAxios: AxiosRequestConfig = { httpAgent: plain, httpsAgent: tls };
    const agents: Agents = { http: plain, https: tls };
    const forGot: ExtendOptions = { agent: agents };
    const forNodeFetch: NodeFetchInit[] = [
      { agent: plain },
      { agent: tls },
      { agent: ({ protocol }) => (protocol === "https:" ? tls : plain) },
    ];
    const forGaxios: GaxiosOptions[] = [
      { agent: plain },
      { agent: ({ protocol }) => (protocol === "https:" ? tls : plain) },
    ];
    const forSmithy: NodeHttpHandlerOptions = { httpAgent: plain, httpsAgent: tls };
    assert.ok(node.agent instanceof http.Agent && nodeTls.agent instanceof https.Agent);
    assert.equal(axios.create(forAxios).defaults.httpAgent, plain);
    assert.equal(got.extend(forGot).defaults.options.agent.https, tls);
    assert.deepEqual([forNodeFetch.length, forGaxios.length], [3, 2]);
    assert.ok(NodeHttpHandler.create(forSmithy) instanceof NodeHttpHandler);
    assert.ok(superagent("GET", "http://unused/").agent(plain));
  }
});

test("a client's fetch fits the options of who takes a fetch", (t) => {
  const client = makeClient(t);
  const fetch = client.fetch.bind(client);
  const standsFor: typeof globalThis.fetch = fetch;
  const forAxios: AxiosRequestConfig = { adapter: "fetch", env: { fetch } };
  const forGaxios: GaxiosOptions = { fetchImplementation: fetch };
  const forOpenAI: OpenAIOptions = { apiKey: "none", fetch };
  const forAnthropic: AnthropicOptions = { apiKey: "none", fetch };
  assert.equal(typeof standsFor, "function");
  assert.equal(axios.create(forAxios).defaults.env?.fetch, fetch);
  assert.equal(new Gaxios(forGaxios).defaults.fetchImplementation, fetch);
  assert.ok(new OpenAI(forOpenAI) && new Anthropic(forAnthropic));
  assert.equal(typeof octokit.defaults({ request: { fetch } }), "function");
});

test("a dispatcher fits the types of fetch and of every undici", (t) => {
  const client = makeClient(t);
  const forFetch: RequestInit = { dispatcher: asDispatcher(client.dispatcher()) };
  const forOpenAI: OpenAIOptions = {
    apiKey: "none",
    fetchOptions: { dispatcher: asDispatcher(client.dispatcher()) },
  };
  const by6: undici6.Dispatcher = new (dispatcherFor(undici6.Dispatcher))(client);
  const by7: undici7.Dispatcher = new (dispatcherFor(undici7.Dispatcher))(client);
  const by8: Dispatcher8 = asDispatcher(client.dispatcher());
  assert.ok(by6 instanceof undici6.Dispatcher && by7 instanceof undici7.Dispatcher);
  assert.ok(forFetch.dispatcher !== undefined && by8 !== undefined);
  assert.ok(new OpenAI(forOpenAI));
});
