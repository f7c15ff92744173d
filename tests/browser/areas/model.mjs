// Kinds of records, their fields, and what fills them.
export const pages = () => ["/model", "/model/work_item"];
export const shots = () => ({ model: "/model", "model-kind": "/model/work_item" });
