#!/usr/bin/env python3
"""Stands for the servers of kinds that Debian has not: called by their names, it listens where each would, and answers at the
path that shows it is ready, and nowhere else. It writes down what it was called with."""
import http.server, json, os, re, sys

name = os.path.basename(sys.argv[0])
words = sys.argv[1:]
if words == ['--version']:
    print(name, os.environ.get('VERSION', '1.17.1'))
    sys.exit()
if words[:1] == ['version']:
    print('\nLabel Studio version:', os.environ.get('VERSION', '1.16.0'), '\n\n{}')
    sys.exit()
if words[:1] == ['reset_password']:
    with open(os.environ['CALLED'] + '.password', 'w') as file:
        file.write(' '.join(words[1:]) + ' ' + sys.stdin.readline())
    sys.exit()


configuration = open(words[-1]).read() if os.path.isfile(words[-1]) else ''


def option(flag):
    for i, word in enumerate(words):
        if word.startswith(flag + '='):
            return word[len(flag) + 1:]
        if word == flag:
            return words[i + 1]
    sys.exit('{} needs {}'.format(name, flag))


def setting(text):
    return re.search(text, configuration).groups()


WHERE = {
    'mlflow': lambda: (option('--host'), option('--port'), '/health'),
    'tensorboard': lambda: (option('--host'), option('--port'), '/data/environment'),
    'label-studio': lambda: (option('--internal-host'), option('--port'), '/health'),
    'qdrant': lambda: (os.environ['QDRANT__SERVICE__HOST'], os.environ['QDRANT__SERVICE__HTTP_PORT'], '/readyz'),
    'minio': lambda: (*option('--address').split(':'), '/minio/health/ready'),
    'shiny-server': lambda: (*reversed(setting(r'listen (\d+) (\S+);')), '/'),
    'rserver': lambda: (option('--www-address'), option('--www-port'), '/'),
    'code-server': lambda: (*option('--bind-addr').split(':'), '/healthz'),
    'jupyterhub': lambda: ('127.0.0.1', os.environ['port'], os.environ['base_path'] + '/hub/health'),
    'ray': lambda: (option('--dashboard-host'), option('--dashboard-port'), '/api/version'),
}
address, port, ready = WHERE[name]()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == ready else 404)
        self.end_headers()


if 'CALLED' in os.environ:
    with open(os.environ['CALLED'], 'w') as file:
        json.dump({'words': words, 'file': os.path.realpath((words or ['/'])[-1]), 'configuration': configuration,
                   'directory': os.getcwd(), 'environment': dict(os.environ), 'umask': os.umask(0)}, file)
http.server.ThreadingHTTPServer((address, int(port)), Page).serve_forever()
