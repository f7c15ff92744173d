// One statement and its rows.
export const pages = () => ["/sql", { path: "/sql?sql=select+type,+count(*)+as+n+from+work_items+group+by+1", rows: true },
  { path: "/sql?sql=select+1+as+a+union+select+2", rows: true }, "/sql?sql=drop+table+x"];
