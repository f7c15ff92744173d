// Who may see the workspace.
export const pages = () => ["/tokens"];
