variable "endpoint" {
  description = "Where Tidegate's AWS API listens."
  type        = string
  default     = "http://127.0.0.1:4566"
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "name" {
  description = "Prefix of every name. Changing it replaces what AWS cannot rename."
  type        = string
  default     = "pets"
}

variable "revision" {
  description = "Any other number changes every resource that AWS can change in place."
  type        = number
  default     = 1
}
