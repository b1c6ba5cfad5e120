package awssdk

// EachOptimized visits the actions that the table of optimized integrations
// has, as resources.
func EachOptimized(visit func(resource string)) {
	for name, o := range optimized {
		for action := range o.calls {
			visit("arn:aws:states:::" + name + ":" + action)
		}
		for action := range o.polls {
			visit("arn:aws:states:::" + name + ":" + action)
			visit("arn:aws:states:::" + name + ":" + action + ".sync")
		}
	}
}
