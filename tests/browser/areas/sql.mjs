// One statement and its rows.
export const pages = () => ["/sql", { path: "/sql?sql=select+type,+count(*)+as+n+from+work_items+group+by+1", rows: true },
  { path: "/sql?sql=select+1+as+a+union+select+2", rows: true }, "/sql?sql=drop+table+x"];
export const shots = () => ({ sql: "/sql?sql=select+type,+state,+count(*)+as+n+from+work_items+group+by+1,+2" });
