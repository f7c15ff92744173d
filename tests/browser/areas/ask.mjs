// The question box.
export const pages = () => ["/ask", "/ask?q=which+customers+were+impacted+by+last+Tuesday%27s+incident"];
export const shots = () => ({ ask: "/ask?q=which+customers+were+impacted+by+last+Tuesday%27s+incident" });
