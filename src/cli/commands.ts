/**
 * The table of commands. A new one is a file of its own and a row here.
 */
import { advice } from "./advise/command.ts";
import type { Command } from "./command.ts";
import { demo } from "./demo/command.ts";
import { UsageError } from "./errors.ts";
import { helpOf, overview } from "./help.ts";
import { loadCommand } from "./load/command.ts";
import { suggestion } from "./options.ts";
import { probeCommand } from "./probe/command.ts";
import { simulation } from "./simulate/command.ts";
import { topCommand } from "./top/command.ts";

const help: Command = {
  name: "help",
  summary: "explain a command",
  usage: "[COMMAND]",
  options: {},
  examples: [["keepline help demo", "what keepline demo can do"]],
  notes: [],
  run: async (args, { terminal }) => {
    const [name, ...rest] = args;
    if (rest.length > 0) throw new UsageError(`explains one command, not ${args.length}`);
    terminal.print(
      name === undefined ? overview(commands, terminal) : helpOf(findCommand(name), terminal),
    );
  },
};

/** In the order in which help lists them. */
export const commands: readonly Command[] = [
  demo,
  probeCommand,
  loadCommand,
  topCommand,
  simulation,
  advice,
  help,
];

/**
 * The command of that name.
 *
 * @throws UsageError
 */
export function findCommand(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = commands.map((command) => command.name);
  throw new UsageError(`there is no command ${JSON.stringify(name)}; ${suggestion(names, name)}`);
}
