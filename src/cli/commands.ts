/**
 * The table of commands. A new one is a file of its own and a row here. Each is loaded when it is needed: all of them together take as long
 * to load as Node.js takes to start.
 */
import type { Command } from "./command.ts";
import { UsageError } from "./errors.ts";
import { helpOf, overview } from "./help.ts";
import { suggestion } from "./options.ts";

const help: Command = {
  name: "help",
  summary: "explain a command",
  usage: "[COMMAND]",
  options: {},
  examples: [["keepline help demo", "what keepline demo can do"]],
  notes: [],
  run: async (args, { terminal, signal }) => {
    const [name, ...rest] = args;
    if (rest.length > 0) throw new UsageError(`explains one command, not ${args.length}`);
    const text =
      name === undefined
        ? overview(await allCommands(), terminal)
        : helpOf(await findCommand(name), terminal);
    signal.throwIfAborted();
    terminal.print(text);
  },
};

/** In the order in which help lists them. */
const commands: Readonly<Record<string, () => Command | Promise<Command>>> = {
  demo: async () => (await import("./demo/command.ts")).demo,
  probe: async () => (await import("./probe/command.ts")).probeCommand,
  load: async () => (await import("./load/command.ts")).loadCommand,
  top: async () => (await import("./top/command.ts")).topCommand,
  simulate: async () => (await import("./simulate/command.ts")).simulation,
  advise: async () => (await import("./advise/command.ts")).advice,
  help: () => help,
};

/** All of them, for an overview. */
export function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(commands).map((load) => load()));
}

/**
 * The command of that name.
 *
 * @throws UsageError
 */
export async function findCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load !== undefined) return load();
  const names = Object.keys(commands);
  throw new UsageError(`there is no command ${JSON.stringify(name)}; ${suggestion(names, name)}`);
}
