"""The page of ``ablate watch --serve``: made anew from the store for every look; keeps nothing and takes nothing."""

from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ablate.task.errors import ConfigError

HOST = "127.0.0.1"
"""Nobody but this machine."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>{{ title }}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}table{border-collapse:collapse}
td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid}</style></head><body>
<h1>{{ title }}</h1>
<p>{{ lines[0] }}{% if last %}<br>last record: {{ last }}{% endif %}</p>
{% if hosts %}<h2>Hosts</h2><table><tr><th>host</th><th>training</th><th>trained</th></tr>
{% for host, n in hosts.items() %}<tr><td>{{ host }}</td><td>{{ n.training }}</td><td>{{ n.trained }}</td></tr>
{% endfor %}
</table>{% endif %}
{% if checkpoints %}<h2>Checkpoints</h2><table>
<tr><th>runs</th><th>after {{ step }}</th><th>of</th><th>written (UTC)</th><th>host</th></tr>
{% for c in checkpoints %}<tr><td>{{ c.runs }}</td><td>{{ c.step }}</td><td>{{ c.length }}</td>
<td>{{ c.written[:19] }}</td><td>{{ c.host }}</td></tr>{% endfor %}
</table>{% endif %}
{% if interim %}<h2>So far</h2><table>
<tr><th>study</th><th>factor</th><th>level</th><th>metric</th><th>runs in training</th><th>value</th></tr>
{% for i in interim %}<tr><td>{{ i.study }}</td><td>{{ i.factor }}</td><td>{{ i.level }}</td><td>{{ i.metric }}</td>
<td>{{ i.n }}</td><td>{{ "%.4g" % i.value }}</td></tr>{% endfor %}</table>{% endif %}
{% if standings %}<h2>Levels</h2><table>
<tr><th>study</th><th>factor</th><th>level</th><th>metric</th><th>seeds</th><th>difference</th><th>standing</th></tr>
{% for s in standings %}<tr><td>{{ s.study }}</td><td>{{ s.factor }}</td><td>{{ s.level }}</td><td>{{ s.metric }}</td>
<td>{{ s.n }}</td><td>{{ "" if s.difference is none else "%+.4g" % s.difference }}</td><td>{{ s.standing }}</td></tr>
{% endfor %}</table>{% endif %}
{% if verdicts %}<h2>Claims</h2><table><tr><th>study</th><th>claim</th><th>outcome</th></tr>
{% for v in verdicts %}<tr><td>{{ v.study }}</td><td>{{ v.text }}</td><td>{{ v.outcome }}</td></tr>{% endfor %}
</table>{% endif %}</body></html>
"""


def page(title: str, found: dict[str, Any]) -> str:
    """A snapshot as a page; every text in it is escaped."""
    from jinja2 import Environment

    from ablate.commands.watch import lines_of

    return Environment(autoescape=True).from_string(PAGE).render(title=title, lines=lines_of(found), **found)


def server(studies: Sequence[str], look: Callable[[], dict[str, Any]], port: int) -> ThreadingHTTPServer:
    """What answers on this machine alone; not started.

    Args:
        studies: Their names.
        look: Makes a snapshot.
        port: 0: any that is free.

    Raises:
        ConfigError: The port is taken.
    """
    title = ", ".join(studies)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/" or self.headers.get("Host", "").rpartition(":")[0] not in (HOST, "localhost"):
                self.send_error(404)  # another name for this machine is somebody else's page that asks
                return
            try:
                code, text = 200, page(title, look())
            except ConfigError as error:
                code, text = 503, page_of_problem(title, str(error))
            content = text.encode("utf-8", "replace")
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants to know."""

    try:
        return ThreadingHTTPServer((HOST, port), Page)
    except OSError as error:
        raise ConfigError(f"--serve {port}: {error.strerror or error}") from None


def page_of_problem(title: str, problem: str) -> str:
    """What is shown while the store cannot be read; it is tried again."""
    from jinja2 import Environment

    text = '<!doctype html><meta http-equiv="refresh" content="5"><title>{{ title }}</title><p>{{ problem }}</p>'
    return Environment(autoescape=True).from_string(text).render(title=title, problem=problem)


def serve(studies: Sequence[str], look: Callable[[], dict[str, Any]], port: int) -> None:
    """Serve until Ctrl-C.

    Raises:
        ConfigError: The port is taken.
    """
    with server(studies, look, port) as served:
        print(f"http://{HOST}:{served.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        try:
            served.serve_forever()
        except KeyboardInterrupt:
            """Asked to end."""
