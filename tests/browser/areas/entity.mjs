// One record.
export const pages = ({ incident }) => [`/e/${incident}`];
