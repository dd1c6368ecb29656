/** What a command prints on standard output, ended by a line feed, and how the program ends. */
export type CommandResult = { readonly text: string; readonly exitCode: 0 | 1 };
