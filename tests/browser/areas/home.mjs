// Home, the page that is not there, and the connections.
export const pages = () => ["/", "/connections", "/no-such-page"];
export const shots = () => ({ home: "/", connections: "/connections" });
