package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
)

// pageToken is where a list goes on. It is bound to what was asked for, and
// expires after a day.
type pageToken struct {
	Asked   string
	At      []byte
	Expires int64
}

const tokenLife = 24 * time.Hour

// nextToken makes the token for the page after position at.
func (a *api) nextToken(r *server.Request, asked, at string) string {
	data, _ := json.Marshal(pageToken{asked, []byte(at), a.Engine.Now().Add(tokenLife).Unix()}) // three plain fields
	return a.Engine.Seal(r.Operation, data)
}

// position reads the token of a request: where its list goes on, "" at the
// beginning.
func (a *api) position(r *server.Request, asked string) (string, error) {
	return a.positionOf(r, r.Str("nextToken"), asked)
}

// positionOf reads the text of a token. A token is good for the operation and the request
// that it was made for, and until it expires; any other is refused as InvalidToken.
func (a *api) positionOf(r *server.Request, text, asked string) (string, error) {
	if text == "" {
		return "", nil
	}
	var token pageToken
	data, ok := a.Engine.Unseal(r.Operation, text)
	if !ok || json.Unmarshal(data, &token) != nil || token.Asked != asked || token.Expires < a.Engine.Now().Unix() {
		return "", server.Fail("InvalidToken", "Invalid Token: 'Invalid token'")
	}
	return string(token.At), nil
}

// pageSize is a request's maxResults; absent or 0 it is the default.
func pageSize(r *server.Request) int {
	if n := r.Int("maxResults"); n > 0 {
		return int(n)
	}
	return 100
}

// listTenant answers with a page of what a tenant has, in the order of names.
// list returns at most limit of them after a name; show writes one and returns its
// name.
func listTenant[T any](
	ctx context.Context, a *api, r *server.Request, member string,
	list func(ctx context.Context, t catalogue.Tenant, after string, limit int) ([]T, error), show func(o *server.Object, item T) string,
) ([]byte, error) {
	t := tenant(r)
	return listPage(a, r, t.Account+"/"+t.Region, member, func(after string, limit int) ([]T, error) {
		return list(ctx, t, after, limit)
	}, show)
}

// listPage answers with a page of a list that goes on behind what show returns for
// its last item. list returns at most limit items after that; asked is what a token
// is bound to.
func listPage[T any](
	a *api, r *server.Request, asked, member string,
	list func(after string, limit int) ([]T, error), show func(o *server.Object, item T) string,
) ([]byte, error) {
	after, err := a.position(r, asked)
	if err != nil {
		return nil, err
	}
	size := pageSize(r)
	found, err := list(after, size+1)
	if err != nil {
		return nil, err
	}
	shown := found[:min(size, len(found))]
	last := ""
	var o server.Object
	o.List(member, len(shown), func(dst []byte, i int) []byte {
		var item server.Object
		last = show(&item, shown[i])
		return append(dst, item.JSON()...)
	})
	if len(found) > size {
		o.Str("nextToken", a.nextToken(r, asked, last))
	}
	return o.JSON(), nil
}
