package front_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/front"
)

// Two services share a port. The front finds the one that a request is for by its
// target, and the service finds the caller by the signature.
func Example() {
	port := server.NewPort(&server.Authorizer{Account: "000000000000", Region: "us-east-1"}, 0, slog.New(slog.DiscardHandler))
	list := func(name string) *server.Server {
		return &server.Server{
			Port: port, Service: name, Prefix: name + ".", MaxBody: 1 << 20, Model: server.Model{"List": nil},
			Operations: map[string]server.Handler{"List": func(_ context.Context, r *server.Request) ([]byte, error) {
				var o server.Object
				return o.Str("service", name).Str("account", r.Account).JSON(), nil
			}},
			Reads: func(string) bool { return true },
		}
	}
	handler, err := front.New(front.Config{Port: port, Services: []front.Service{list("states"), list("queues")}})
	if err != nil {
		panic(err)
	}

	r := httptest.NewRequest(http.MethodPost, "http://localhost:8083/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "queues.List")
	signer := sigv4.Signer{
		Credentials: sigv4.Credentials{KeyID: "123456789012", Secret: "any: the server has no keys"}, Region: "us-east-1", Service: "queues",
	}
	signer.Sign(r, sigv4.Hash([]byte("{}")), time.Now())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 {"service":"queues","account":"123456789012"}
}
