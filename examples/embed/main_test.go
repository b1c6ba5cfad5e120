package main

func Example() {
	main()
	// Output: {"text":"Ada pays 20 for book, lamp"}
}
