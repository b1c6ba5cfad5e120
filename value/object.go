package value

// linearMembers is the number of members up to which an object is searched
// from front to back; larger ones carry an index.
const linearMembers = 12

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value Value
}

// Obj makes an object of the given members in the given order. Where a name
// occurs twice the last value stands, at the place of the first.
func Obj(members ...Member) Value {
	b := NewObject(len(members))
	for _, m := range members {
		b.Set(m.Name, m.Value)
	}
	return b.Value()
}

// Names returns the names of an object's members in document order, nil for any other
// kind. The caller must not change the slice.
func (v Value) Names() []string {
	if v.comp == nil {
		return nil
	}
	return v.comp.names
}

// Lookup returns the value of the named member of an object. It is false when v is no
// object or has no such member.
func (v Value) Lookup(name string) (Value, bool) {
	if found := v.Ref(name); found != nil {
		return *found, true
	}
	return Value{}, false
}

// Get is Lookup that returns undefined where there is no such member.
func (v Value) Get(name string) Value {
	found, _ := v.Lookup(name)
	return found
}

// Ref returns the named member of an object itself, nil where Lookup is false. It
// saves the copy of a Value; the member must not be changed through it.
func (v *Value) Ref(name string) *Value {
	if v.kind != Object {
		return nil
	}
	if i := v.comp.find(name); i >= 0 {
		return &v.comp.items[i]
	}
	return nil
}

// With returns an object like v in which the named member has the given value: in its
// old place, or at the end. A v that is no object counts as an empty one.
func (v Value) With(name string, member Value) Value {
	b := NewObject(v.Len() + 1)
	if v.kind == Object {
		for i, n := range v.comp.names {
			b.add(n, v.comp.items[i])
		}
	}
	b.Set(name, member)
	return b.Value()
}

// WithItem returns an array like v in which item i, which must exist, has the given
// value.
func (v Value) WithItem(i int, item Value) Value {
	items := make([]Value, v.Len())
	copy(items, v.Items())
	items[i] = item
	return Arr(items...)
}

// find returns the place of a member, -1 for none. Few members are found faster by
// looking at each than by a map, which most objects would hold for nothing.
func (c *composite) find(name string) int {
	if c.index != nil {
		if i, ok := c.index[name]; ok {
			return i
		}
		return -1
	}
	for i, n := range c.names {
		if n == name {
			return i
		}
	}
	return -1
}

// ObjectBuilder collects the members of one object.
type ObjectBuilder struct{ comp *composite }

// NewObject begins an object that is expected to have size members.
func NewObject(size int) *ObjectBuilder {
	if size <= 2 { // most objects that expressions make: one allocation
		small := &struct {
			composite
			twoItems [2]Value
			twoNames [2]string
		}{}
		small.items, small.names = small.twoItems[:0], small.twoNames[:0]
		return &ObjectBuilder{&small.composite}
	}
	return &ObjectBuilder{&composite{items: make([]Value, 0, size), names: make([]string, 0, size)}}
}

// Set adds a member, or replaces the value of the one with that name in its
// place.
func (b *ObjectBuilder) Set(name string, v Value) {
	if i := b.comp.find(name); i >= 0 {
		b.comp.items[i] = v
		return
	}
	b.add(name, v)
}

// add adds a member whose name is new. The index is made when the object has become
// too large for searching.
func (b *ObjectBuilder) add(name string, v Value) {
	c := b.comp
	c.names = append(c.names, name)
	c.items = append(c.items, v)
	switch {
	case c.index != nil:
		c.index[name] = len(c.names) - 1
	case len(c.names) > linearMembers:
		c.index = make(map[string]int, cap(c.names))
		for i, n := range c.names {
			c.index[n] = i
		}
	}
}

// Value ends the object. The builder must not be used again.
func (b *ObjectBuilder) Value() Value { return Value{kind: Object, comp: b.comp} }
