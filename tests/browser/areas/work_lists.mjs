// People, what could not be resolved, and what could not be mapped.
export const pages = () => ["/people", "/unresolved", "/dead-letters"];
export const shots = () => ({ people: "/people", unresolved: "/unresolved", "dead-letters": "/dead-letters" });
