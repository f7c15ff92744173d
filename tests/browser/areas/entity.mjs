// One record.
export const pages = ({ incident }) => [`/e/${incident}`];
export const shots = ({ incident }) => ({ entity: `/e/${incident}` });
