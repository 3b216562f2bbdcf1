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
  description = "Prefix of every name."
  type        = string
  default     = "shop"
}

variable "port" {
  description = "The port of every tier's programs."
  type        = number
  default     = 8080
}
