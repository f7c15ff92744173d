// Tables, their columns, and what fills them.
export const pages = () => ["/model"];
export const shots = () => ({ model: "/model" });
