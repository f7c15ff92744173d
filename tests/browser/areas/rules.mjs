// Who is told when a record meets a condition.
export const pages = () => ["/rules"];
export const shots = () => ({ rules: "/rules" });
