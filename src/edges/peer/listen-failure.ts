// Why a port could not be had, as a sentence that names the port and the remedy.

export type ListenFailure = {
  readonly ok: false;
  readonly code: 'port_in_use' | 'port_not_permitted' | 'host_not_ours' | 'listen_failed';
  readonly detail: string;
};

export function listenFailure(error: Error, host: string | null, port: number): ListenFailure {
  const cause = 'code' in error ? String(error.code) : error.message;
  const fail = (code: ListenFailure['code'], detail: string): ListenFailure => ({ ok: false, code, detail });
  switch (cause) {
    case 'EADDRINUSE':
      return fail(
        'port_in_use',
        `Mesh port ${port} is in use by another program: stop it, or choose another port with --mesh-port.`,
      );
    case 'EACCES':
    case 'EPERM':
      return fail(
        'port_not_permitted',
        `Mesh port ${port} may not be used by this user: choose one above 1023 with --mesh-port.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail(
        'host_not_ours',
        `No network interface here has the address ${host}, so mesh port ${port} cannot be opened on it: correct --host.`,
      );
    default:
      return fail('listen_failed', `Mesh port ${port} cannot be opened (${cause}): choose another with --mesh-port.`);
  }
}
