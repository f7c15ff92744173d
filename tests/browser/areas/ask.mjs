// The question box: an answer about an incident, one with rows, what is not understood, and a choice.
export const pages = () => [
  "/ask",
  "/ask?q=which+customers+were+impacted+by+last+Tuesday%27s+incident",
  "/ask?q=how+many+merge+requests+were+merged+by+project",
  "/ask?q=merge+requests+of+the+moon",
];
export const shots = () => ({
  ask: "/ask?q=which+customers+were+impacted+by+last+Tuesday%27s+incident",
  ask_rows: "/ask?q=how+many+pipelines+failed+by+project",
});
