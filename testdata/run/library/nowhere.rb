#!/nonexistent/ruby
puts "{}"
