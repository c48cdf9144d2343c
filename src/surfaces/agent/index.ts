/// <reference types="node" preserve="true" />
/**
 * The public API of `keepline/agent`.
 */

export { Agent, type AgentConstructor, HttpsAgent, type HttpsAgentConstructor } from "./agent.ts";
export type { AgentMembers } from "./members.ts";
export type { AgentOptions, AgentOwnOptions, HttpsAgentOptions } from "./options.ts";
export type { AgentStatus } from "./status.ts";
