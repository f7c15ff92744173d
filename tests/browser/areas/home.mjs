// Home, and the page that is not there.
export const pages = () => ["/", "/no-such-page"];
export const shots = () => ({ home: "/" });
