output "name" {
  value = "a"
  description   = "b"
}
