package door

import (
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Guard refuses what web pages of others send: a browser that is on the machine
// of the server, or in its network, reaches it for every page that is visited.
type Guard struct {
	// Hosts are names by which the server may be called beside those of the
	// loopback interface and the address that a connection came in at; "*" is any.
	Hosts []string
	// Origins are those of the web pages that may call it beside its own, as in
	// "https://console.example".
	Origins []string
	// Signed reports that all requests must be signed: then a page cannot make
	// one, and any name of the server's will do, for the signature covers it.
	Signed bool
	// Prefixes are where the resources are that take JSON of no AWS protocol:
	// "/api/".
	Prefixes []string

	lines *lines
}

// NewGuard completes a guard that tells log what it refuses: one line a minute
// for each host or origin, and not more than a few of them. An origin that is
// none is an error.
func NewGuard(g Guard, log *slog.Logger) (*Guard, error) {
	for _, o := range g.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != strings.ToLower(o) {
			return nil, fmt.Errorf("the allowed origin %q is none: it is given as in https://console.example", o)
		}
	}
	for _, h := range g.Hosts {
		if h == "" || strings.ContainsAny(h, "/ ") {
			return nil, fmt.Errorf("the allowed host %q is none: it is given as in steppe.internal or 10.1.2.3", h)
		}
	}
	g.lines = &lines{log: log, clock: time.Now}
	return &g, nil
}

// Handler lets through to next what may come in, and has the answers say that
// they are nobody else's.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["X-Content-Type-Options"] = noSniff
		header["Cache-Control"] = noStore
		if len(r.Header["Origin"]) > 0 {
			header["Vary"] = []string{"Origin"}
		}
		if refusal := g.check(r); refusal != nil {
			refusal.write(w)
			return
		}
		if len(r.Header["Origin"]) > 0 && g.crossOrigin(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Values of headers, shared by all answers.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// check returns why a request is refused, nil when it is not.
func (g *Guard) check(r *http.Request) *Refusal {
	if !g.Signed && !g.host(r) {
		return g.refused("host", r.Host, "The server is not called "+shown(r.Host)+" (Host). If it is, start it with --allowed-hosts.")
	}
	site, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	own := true
	for _, origin := range origins {
		if !g.origin(r, origin) {
			return g.refused("origin", origin, "Web pages of "+shown(origin)+" (Origin) may not call this server. If they may, start it with --allowed-origins.")
		}
		own = own && isOwn(r, origin)
	}
	for _, s := range site {
		allowed := len(origins) > 0 && !own // one of the allowed ones
		if s != "same-origin" && s != "none" && !allowed {
			return g.refused("site", s, "Web pages of others (Sec-Fetch-Site: "+shown(s)+") may not call this server. If they may, start it with --allowed-origins.")
		}
	}
	return g.content(r, len(origins)+len(site) > 0 || r.Header.Get("Sec-Fetch-Mode") != "")
}

// content refuses the types of bodies that a page can send without asking.
func (g *Guard) content(r *http.Request, browser bool) *Refusal {
	ours := slices.ContainsFunc(g.Prefixes, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) })
	if !browser && !ours {
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return nil
	}
	types := r.Header["Content-Type"]
	if len(types) == 0 && g.Signed {
		return nil
	}
	if len(types) == 1 {
		switch kind, _, err := mime.ParseMediaType(types[0]); {
		case err != nil:
		case kind == "application/json", kind == "application/x-amz-json-1.0", kind == "application/x-amz-json-1.1":
			return nil
		}
	}
	return &Refusal{
		http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException",
		"The body must be JSON and say so (Content-Type: application/json), not " + shown(strings.Join(types, ", ")) + ".",
	}
}

func (g *Guard) refused(what, value, message string) *Refusal {
	g.lines.warn(what+" "+value, "a request from elsewhere was refused", slog.String(what, shown(value)))
	return &Refusal{http.StatusForbidden, "AccessDeniedException", message}
}

// shown is what a caller said, short enough to be told.
func shown(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return "'" + strings.ToValidUTF8(s, "?") + "'"
}

// host reports whether the server is meant by the name that a request has for it.
func (g *Guard) host(r *http.Request) bool {
	name := bare(r.Host)
	if allowedHost(g.Hosts, name, r.Host) {
		return true
	}
	// SDKs put this before the host of StartSyncExecution and TestState.
	name = strings.TrimPrefix(name, "sync-")
	if name == "localhost" || allowedHost(g.Hosts, name, r.Host) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	if addr.IsLoopback() {
		return true
	}
	// A page that is told another address for its name has its name for a host,
	// never an address.
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, ok := local.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("") == addr.WithZone("")
	}
	return false
}

func allowedHost(hosts []string, name, whole string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		return h == "*" || strings.EqualFold(h, whole) || strings.EqualFold(strings.Trim(h, "[]"), name)
	})
}

// bare is a host without port, brackets and the dot at the end, in lower case.
func bare(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// origin reports whether pages of an origin may call.
func (g *Guard) origin(r *http.Request, origin string) bool {
	return isOwn(r, origin) || slices.ContainsFunc(g.Origins, func(o string) bool { return strings.EqualFold(o, origin) })
}

// isOwn reports whether an origin is the server's own.
func isOwn(r *http.Request, origin string) bool {
	scheme, port := "http://", ":80"
	if r.TLS != nil {
		scheme, port = "https://", ":443"
	}
	host, ours := strings.CutPrefix(strings.ToLower(origin), scheme)
	return ours && host != "" && strings.TrimSuffix(host, port) == strings.TrimSuffix(strings.ToLower(r.Host), port)
}

// crossOrigin tells the browser that the page of an allowed origin may have the
// answer. It reports whether that was all that was asked.
func (g *Guard) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if isOwn(r, origin) {
		return false
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", "X-Amzn-Requestid, X-Amzn-Errortype")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	header.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
