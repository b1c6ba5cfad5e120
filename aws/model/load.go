package model

import (
	"archive/zip"
	"container/list"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
)

// archive is a zip archive with one file for each service. See models/README.md
// for where it comes from.
//
//go:embed models/models.zip
var archive string

// files are the models in the archive, by the service's name.
var files = sync.OnceValue(func() map[string]*zip.File {
	r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic(fmt.Sprint("model: the embedded models are broken: ", err))
	}
	byName := make(map[string]*zip.File, len(r.File))
	for _, file := range r.File {
		byName[strings.TrimSuffix(file.Name, ".json")] = file
	}
	return byName
})

// Names returns the names of all services, as [Service.Name] has them, in no
// particular order.
func Names() []string {
	names := make([]string, 0, len(files()))
	for name := range files() {
		names = append(names, name)
	}
	return names
}

// cacheBytes bounds the models that are kept. EC2, the largest, takes 4 MB;
// DynamoDB, SQS and S3 together take 1.2 MB. What is in use beyond the bound
// stays alive with whoever holds it, and is read again for the next who asks.
const cacheBytes = 32 << 20

var loaded = cache{most: cacheBytes}

// Load returns the model of a service by its name in a Task's Resource ("sqs"),
// nil when there is no such service. Models are read from the embedded archive
// when they are first asked for, which takes milliseconds (EC2: some hundreds on a
// busy machine), and those used last are kept, up to 32 MiB. Load may be called from any
// goroutine; callers that ask for the same model at once wait for one reading.
func Load(name string) *Service {
	file := files()[name]
	if file == nil {
		return nil
	}
	return loaded.get(name, func() *Service { return read(file) })
}

func read(file *zip.File) *Service {
	s := new(Service)
	text, err := file.Open()
	if err == nil {
		err = errors.Join(json.UnmarshalRead(text, s), text.Close())
	}
	if err == nil {
		err = s.Link()
	}
	if err != nil {
		panic(fmt.Sprintf("model: the embedded model %s is broken: %v", file.Name, err))
	}
	return s
}

// cache keeps the models that were used last. The names come from the archive, so
// that there are never more entries than services.
type cache struct {
	most int64

	mu      sync.Mutex
	size    int64
	entries map[string]*list.Element // of order
	order   list.List                // of *cached, the one used last at the front
}

type cached struct {
	name    string
	once    sync.Once
	service *Service
	size    int64 // 0 until it is counted
}

// get returns the model of the name, which read makes where it is not kept.
func (c *cache) get(name string, read func() *Service) *Service {
	c.mu.Lock()
	element := c.entries[name]
	if element == nil {
		if c.entries == nil {
			c.entries = make(map[string]*list.Element)
		}
		element = c.order.PushFront(&cached{name: name})
		c.entries[name] = element
	} else {
		c.order.MoveToFront(element)
	}
	c.mu.Unlock()
	entry := element.Value.(*cached)
	// Reading takes long: it is done without the lock, by the first who asks.
	entry.once.Do(func() {
		entry.service = read()
		c.grow(element, entry.service.size())
	})
	return entry.service
}

// grow counts a model that was read, and drops those unused for longest where
// all together are more than the cache may hold. The new one itself stays.
func (c *cache) grow(element *list.Element, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element.Value.(*cached).size = size
	c.size += size
	for last := c.order.Back(); last != nil && c.size > c.most; {
		before := last.Prev()
		// One that is being read has no size yet, and its readers wait for it.
		if entry := last.Value.(*cached); last != element && entry.size > 0 {
			c.size -= entry.size
			c.order.Remove(last)
			delete(c.entries, entry.name)
		}
		last = before
	}
}
